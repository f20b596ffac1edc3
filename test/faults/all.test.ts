/**
 * The fault suites, in one file, so that those that wait can wait at the same time; those that mostly start processes are in
 * processes.test.ts.
 *
 * A run of theirs (`scene.run`) is the whole command line in this process, on a time that passes only when everybody waits. Where
 * the process itself is the point they start the built product (`scene.start`); with FAULTS_BUILT set all do (`npm run test:built`).
 *
 * The rows of what went wrong elsewhere are in evidence.suite.ts, each under its name. Not here: what needs PromQL to be
 * evaluated (duplicate scrapes, staleness, twin series, the queries on both engines; test/engines), the metrics as an engine scrapes them
 * (test/engines), and a real control plane (test/e2e).
 */

import { afterAll, vi } from "vitest";

// It has the run that takes longest.
import "./aftermath.suite.ts";
import "./never-answered.suite.ts";
import "./evidence.suite.ts";
import "./server-faults.suite.ts";
import "./shapes.suite.ts";
import "./evictions.suite.ts";
import "./connections.suite.ts";
import "./clock-skew.suite.ts";
import "./workloads.suite.ts";
import "./old-looks.suite.ts";
import "./push.suite.ts";
import "./retries.suite.ts";
import "./secrets.suite.ts";
import "./hostile-text.suite.ts";
import "./metrics-replies.suite.ts";
import { endProducts } from "./product.ts";

// More at once only makes processes wait for a core.
vi.setConfig({ maxConcurrency: 16 });

afterAll(endProducts);
