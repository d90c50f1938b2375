import { valueText } from "../host-attribute.ts";
import { readImageProperties } from "../image-metadata.ts";
import { parseRatios } from "../number-text.ts";
import type { Weigher } from "../weigher.ts";

/**
 * Servers on the host whose images share properties with the image asked for: one for each shared property, or its ratio in
 * `image_props_weight_setting`. Off by default (nova: scheduler/weights/image_props.py).
 */
export const imageProperties: Weigher = {
  name: "ImagePropertiesWeigher",
  minimum: undefined,
  multiplierKey: "image_props_weight_multiplier",
  multiplier: (options) => options.filter_scheduler.image_props_weight_multiplier,
  negated: false,
  prepare: ({ image }, options) => {
    const settings = options.filter_scheduler;
    if (settings.image_props_weight_multiplier === 0) return undefined;
    const ratios = new Map(
      parseRatios(settings.image_props_weight_setting).map(({ name, ratio }) => [name, ratio]),
    );
    const wanted = readImageProperties(image?.properties ?? {});
    return ({ servers }) => {
      let sum = 0;
      for (const server of servers) {
        for (const [name, value] of readImageProperties(server.imageProperties)) {
          const asked = wanted.get(name);
          if (asked === undefined || valueText(asked) !== valueText(value)) continue;
          sum += ratios.size === 0 ? 1 : (ratios.get(name) ?? 0);
        }
      }
      return sum;
    };
  },
};
