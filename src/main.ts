import { enableCompileCache } from "node:module";

// Before anything else is loaded: a small command spends most of its time on compiling what it imports.
enableCompileCache();
const { runCli } = await import("./cli/run.ts");
runCli();
