/** The server writes index.js: every view in this folder, by its file's name. See pages/wire/browser_code.py. */

import type { ViewModule } from "../types";

export const views: Record<string, ViewModule>;
