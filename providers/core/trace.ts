/** How a step reaches the next service. */
export type TraceKind = "request" | "reply" | "call" | "cast" | "local";

/** One of the 29 steps of instance creation (openstack-manuals, training guides: VM provisioning in depth). */
export interface FlowStep {
  readonly number: number;
  readonly name: string;
  readonly service: string;
  readonly kind: TraceKind;
}

/** The 29 steps with their classic names, in the order that today's code runs them. */
export const flowSteps = [
  { number: 1, name: "client sends credentials", service: "authenticate", kind: "request" },
  { number: 2, name: "token is issued", service: "authenticate", kind: "reply" },
  { number: 3, name: "client asks for a server", service: "api", kind: "request" },
  { number: 4, name: "api asks to validate the token", service: "api", kind: "call" },
  { number: 5, name: "token is validated, roles are given", service: "authenticate", kind: "reply" },
  { number: 6, name: "api reads flavor, image, networks, quota", service: "api", kind: "local" },
  { number: 7, name: "api writes the record", service: "api", kind: "local" },
  { number: 8, name: "placement is asked of the scheduler", service: "conductor", kind: "call" },
  { number: 9, name: "scheduler picks the message", service: "scheduler", kind: "local" },
  { number: 10, name: "scheduler filters and weighs", service: "scheduler", kind: "local" },
  { number: 11, name: "host is claimed and recorded", service: "conductor", kind: "local" },
  { number: 12, name: "build is cast to the compute host", service: "conductor", kind: "cast" },
  { number: 13, name: "compute picks the message", service: "compute", kind: "local" },
  { number: 14, name: "compute asks the conductor for the instance", service: "compute", kind: "call" },
  { number: 15, name: "conductor picks the message", service: "conductor", kind: "local" },
  { number: 16, name: "conductor reads the store", service: "conductor", kind: "local" },
  { number: 17, name: "conductor replies with the instance", service: "conductor", kind: "reply" },
  { number: 18, name: "compute checks the claim and the server group", service: "compute", kind: "local" },
  { number: 19, name: "compute asks for the image", service: "compute", kind: "call" },
  { number: 20, name: "image service validates the token", service: "images", kind: "local" },
  { number: 21, name: "image is on the host", service: "images", kind: "reply" },
  { number: 22, name: "compute asks for the network", service: "compute", kind: "call" },
  { number: 23, name: "network service validates the token", service: "networks", kind: "local" },
  { number: 24, name: "ports are wired", service: "networks", kind: "reply" },
  { number: 25, name: "compute asks for block devices", service: "compute", kind: "call" },
  { number: 26, name: "volume service validates the token", service: "volumes", kind: "local" },
  { number: 27, name: "block devices are known", service: "volumes", kind: "reply" },
  { number: 28, name: "domain is rendered, defined and started", service: "compute", kind: "local" },
  { number: 29, name: "server is polled until it is ready", service: "compute", kind: "local" },
] as const satisfies readonly FlowStep[];

/** Number of one of the {@link flowSteps}. */
export type FlowStepNumber = (typeof flowSteps)[number]["number"];

/** One step as it happened. */
export interface TraceEvent {
  readonly number: FlowStepNumber;
  /** Host by name, for the steps that belong to one. */
  readonly host?: string;
  /** Milliseconds since the epoch, with fractions. */
  readonly startedAtMs: number;
  readonly durationMs: number;
}
