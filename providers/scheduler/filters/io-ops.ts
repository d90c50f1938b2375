import type { Filter } from "../filter.ts";

/** Fewer builds and moves run on the host than `max_io_ops_per_host` (nova: scheduler/filters/io_ops_filter.py). */
export const ioOps: Filter = {
  name: "IoOpsFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare: (_request, options) => (host) => host.numIoOps < options.filter_scheduler.max_io_ops_per_host,
};
