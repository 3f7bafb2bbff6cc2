"""template.yaml as CloudFormation gets it, for checkov: of SAM's own resources it knows little.

With the protection that every stage but a new one has.

bin/python -m local.translated > .build/translated.json
"""

import json
import sys

from local.template import read_stack

if __name__ == "__main__":
    json.dump(read_stack(parameters={"DeletionProtection": "true"}).document, sys.stdout, indent=2)
