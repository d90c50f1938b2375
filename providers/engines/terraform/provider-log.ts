/** Levels of Terraform's log. */
type Level = "debug" | "info" | "warn" | "error";

/** Writes to Terraform's log, which `TF_LOG` and `TF_LOG_PROVIDER` show. Terraform masks nothing in it: no secret goes there. */
export type ProviderLog = (level: Level, message: string, fields?: Readonly<Record<string, string>>) => void;

/** A log of JSON lines, as Terraform reads them from a provider's standard error (go-plugin: `parseJSON`, hclog). */
export function createProviderLog(write: (line: string) => void): ProviderLog {
  return (level, message, fields = {}) => {
    // A timestamp with fewer than six digits is not recognised, and the whole line is then shown as text.
    const timestamp = new Date().toISOString().replace("Z", "000Z");
    const entry = {
      "@level": level,
      "@message": message,
      "@module": "stackyard",
      "@timestamp": timestamp,
      ...fields,
    };
    write(`${JSON.stringify(entry)}\n`);
  };
}
