/**
 * How much of what a plan would do on the hosts engines tell in their messages: nothing; host, filters, changed lines of the domain XML and what each
 * command is for; or all of it, with whole XML and the text of each command.
 */
export const previewDetails = ["off", "brief", "full"] as const;
export type PreviewDetail = (typeof previewDetails)[number];
