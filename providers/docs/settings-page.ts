import { z } from "zod";
import { settings } from "../config/config.ts";
import { page, table } from "./markdown.ts";

/** The page of all settings. */
export function describeSettings(): string {
  return page("Settings", [
    "Settings are environment variables. The command line, a Pulumi program and the tests read the same ones; an empty variable counts as unset.",
    table(
      ["variable", "default", "what it is"],
      Object.entries(settings.shape).map(([name, schema]) => [
        `\`${name}\``,
        describeDefault(schema),
        schema.description ?? "",
      ]),
    ),
  ]);
}

function describeDefault(schema: z.ZodType): string {
  return schema instanceof z.ZodDefault ? `\`${String(schema.def.defaultValue)}\`` : "none";
}
