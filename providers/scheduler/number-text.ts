const floatPattern = /^[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?$/i;
const infinityPattern = /^([+-]?)inf(?:inity)?$/i;
const nanPattern = /^[+-]?nan$/i;
const integerPattern = /^[+-]?\d+(?:_\d+)*$/;

/** The number that Python's `float(text)` gives, which is what operators write in extra specs and metadata; `undefined` when it is none. */
export function parseFloatText(text: string): number | undefined {
  const trimmed = text.trim();
  if (floatPattern.test(trimmed)) return Number(trimmed.replaceAll("_", ""));
  const infinity = infinityPattern.exec(trimmed);
  if (infinity !== null) return infinity[1] === "-" ? -Infinity : Infinity;
  return nanPattern.test(trimmed) ? NaN : undefined;
}

/** The number that Python's `int(text)` gives; `undefined` when it is none. */
export function parseIntegerText(text: string): number | undefined {
  const trimmed = text.trim();
  return integerPattern.test(trimmed) ? Number(trimmed.replaceAll("_", "")) : undefined;
}

/** Reads `name=ratio` settings; what is not of that form is left out (nova: scheduler/utils.py parse_options). */
export function parseRatios(
  settings: readonly string[],
): readonly { readonly name: string; readonly ratio: number }[] {
  return settings.flatMap((setting) => {
    const at = setting.indexOf("=");
    const ratio = at > 0 ? parseFloatText(setting.slice(at + 1)) : undefined;
    return ratio === undefined ? [] : [{ name: setting.slice(0, at), ratio }];
  });
}
