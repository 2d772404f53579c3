// Every behaviour of the dashboard, one module each; none needs another page's markup to be there.
import "./theme.js";
import "./navigation.js";
import "./copy.js";
import "./times.js";
import "./dialogs.js";
import "./toasts.js";
import "./busy.js";
import "./filters.js";
import "./suggest.js";
import "./selection.js";
import "./palette.js";
import "./keyboard.js";
import "./live.js";
import "./log.js";
import "./uploads.js";
import "./connection.js";
