/** The fault suites that mostly start the built product, apart from the others so that both cores of a small machine have work. */

import { afterAll, vi } from "vitest";

import "./files.suite.ts";
import "./outputs.suite.ts";
import "./planning.suite.ts";
import "./kafka-replies.suite.ts";
import "./stopping.suite.ts";
import "./uncaught.suite.ts";
import "./surroundings.suite.ts";
import { endProducts } from "./product.ts";

// More at once only makes processes wait for a core.
vi.setConfig({ maxConcurrency: 16 });

afterAll(endProducts);
