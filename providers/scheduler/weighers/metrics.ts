import { StackyardError } from "../../core/errors.ts";
import { parseRatios } from "../number-text.ts";
import type { Weigher } from "../weigher.ts";

/**
 * Sum of the host's metrics times their ratios in `[metrics] weight_setting`. A host without one of them weighs
 * `weight_of_unavailable`; with `required` it raises `host-unsuitable` (nova: scheduler/weights/metrics.py).
 */
export const metrics: Weigher = {
  name: "MetricsWeigher",
  minimum: undefined,
  multiplierKey: "metrics_weight_multiplier",
  multiplier: (options) => options.metrics.weight_multiplier,
  negated: false,
  prepare: (_request, { metrics: settings }, multiplierOf) => {
    const ratios = parseRatios(settings.weight_setting);
    if (ratios.length === 0) return undefined;
    return (host) => {
      let sum = 0;
      for (const { name, ratio } of ratios) {
        const value = Object.hasOwn(host.metrics, name) ? host.metrics[name] : undefined;
        if (value !== undefined) {
          sum += value * ratio;
        } else if (settings.required) {
          throw new StackyardError("host-unsuitable", {
            message: `host ${host.name} does not report the metric ${name}, which metrics.required asks for`,
            field: "metrics.weight_setting",
            value: name,
            remedy: "Enable MetricsFilter, which takes such hosts away, or set metrics.required to false.",
          });
        } else if (ratio * multiplierOf(host) !== 0) {
          return settings.weight_of_unavailable;
        }
      }
      return sum;
    };
  },
};
