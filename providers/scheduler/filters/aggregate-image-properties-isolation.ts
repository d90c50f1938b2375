import { aggregateAlternatives } from "../aggregate.ts";
import type { Filter } from "../filter.ts";
import { valueText } from "../host-attribute.ts";
import { readImageProperties } from "../image-metadata.ts";

/**
 * Where the metadata of the host's aggregates and the image both have a property, the image's value is among the aggregates'
 * (nova: scheduler/filters/aggregate_image_properties_isolation.py). Properties that Nova does not know are ignored,
 * and those that are false, 0 or empty count as absent.
 */
export const aggregateImagePropertiesIsolation: Filter = {
  name: "AggregateImagePropertiesIsolation",
  oncePerRequest: true,
  runsOnRebuild: true,
  prepare: ({ image }, options) => {
    const {
      aggregate_image_properties_isolation_namespace: namespace,
      aggregate_image_properties_isolation_separator: separator,
    } = options.filter_scheduler;
    const prefix = namespace === undefined || namespace === "" ? "" : `${namespace}${separator}`;
    const wanted = [...readImageProperties(image?.properties ?? {})].flatMap(([key, value]) =>
      Boolean(value) && key.startsWith(prefix) ? [{ key, text: valueText(value) }] : [],
    );
    if (wanted.length === 0) return undefined;
    return (host) =>
      wanted.every(({ key, text }) => {
        const alternatives = aggregateAlternatives(host, key);
        return alternatives.size === 0 || alternatives.has(text);
      });
  },
};
