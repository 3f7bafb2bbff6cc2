/** The client: index.html loads this module, and this all others. */

import "./elements/cruddur-app.js";
