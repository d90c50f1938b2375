import { z } from "zod";

const portSchema = z.object({
  /** Name of the host, for a reader of the file. */
  host: z.string(),
  segment: z.string(),
  /** Path of the NIC's socket. */
  socket: z.string(),
  delayMs: z.number(),
  lossPercent: z.number(),
});

const switchFileSchema = z.object({ controlSocket: z.string(), ports: z.array(portSchema) });

/** What the switch of a lab knows: its ports, and how good each one's cable is. */
export type SwitchFile = z.infer<typeof switchFileSchema>;

export function readSwitchFile(text: string): SwitchFile {
  return switchFileSchema.parse(JSON.parse(text));
}
