import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";

// JavaScript, and before anything else is loaded: a small command spends most of its time on compiling what it imports,
// and for TypeScript that is not in the cache, this here for one, there is a compiler to be loaded first.
enableCompileCache();
// src/ exists in a clone only; an installed package has dist/.
const source = new URL("../src/cli/run.ts", import.meta.url);
const { runCli } = await import(existsSync(source) ? source.href : new URL("../dist/cli/run.js", import.meta.url).href);
runCli();
