#!/usr/bin/env node
import { keepCompiledCode } from "./config/compile-cache.ts";

// Before the code that it is for.
keepCompiledCode();
await import("./command-line.ts");
