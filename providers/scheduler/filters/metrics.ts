import type { Filter } from "../filter.ts";
import { parseRatios } from "../number-text.ts";

/** The host reports every metric of `[metrics] weight_setting` (nova: scheduler/filters/metrics_filter.py). */
export const metrics: Filter = {
  name: "MetricsFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare: (_request, options) => {
    const names = parseRatios(options.metrics.weight_setting).map(({ name }) => name);
    return names.length === 0
      ? undefined
      : (host) => names.every((name) => Object.hasOwn(host.metrics, name));
  },
};
