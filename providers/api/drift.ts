import type {
  DriftFailure,
  DriftFinding,
  DriftReport,
  HostFailure,
  Interruption,
  ResourceName,
} from "../core/cloud.ts";
import type { Observed } from "../conductor/drift.ts";
import type { Interrupted } from "../conductor/interrupted.ts";
import type { StackyardError } from "../core/errors.ts";
import type { ResourceRecord } from "../core/record.ts";

/** Those of the records whose task was broken off. */
export function reportInterrupted(
  records: readonly ResourceRecord[],
  interrupted: readonly Interrupted[],
): readonly Interruption[] {
  const broken = new Map(interrupted.map(({ record, was }) => [record.id, was]));
  return records.flatMap((record) => {
    const was = broken.get(record.id);
    return was === undefined ? [] : [{ resource: nameOf(record), was }];
  });
}

/** Findings by host, then in the order of the records; resources that share an error share its entry. */
export function reportDrift(
  observed: readonly Observed[],
  failures: readonly HostFailure[],
): Pick<DriftReport, "checked" | "findings" | "failures"> {
  const found = observed.flatMap((entry) => ("error" in entry ? [] : listFindings(entry)));
  const failed = observed.flatMap((entry) => ("error" in entry ? [entry] : []));
  const byError = Map.groupBy(failed, ({ error }) => error);
  return {
    checked: observed.length,
    findings: found.toSorted((a, b) => (a.host ?? "").localeCompare(b.host ?? "")),
    failures: [...byError].map(([error, entries]) =>
      toFailure(
        error,
        entries.map(({ record }) => nameOf(record)),
        failures,
      ),
    ),
  };
}

function listFindings({
  record,
  observation,
}: Exclude<Observed, { readonly error: unknown }>): readonly DriftFinding[] {
  const resource = nameOf(record);
  if (observation === undefined) {
    const gone = { field: "resource", expected: "present", found: "absent" };
    return [{ resource, ...gone, repair: "makes it anew", label: "live" }];
  }
  return observation.drift.map((drift) => ({ resource, ...drift }));
}

function toFailure(
  error: StackyardError,
  resources: readonly ResourceName[],
  failures: readonly HostFailure[],
): DriftFailure {
  const host = failures.find((failure) => failure.error === error)?.host;
  return { ...(host === undefined ? {} : { host }), error, resources };
}

function nameOf({ type, id, name }: ResourceRecord): ResourceName {
  return { type, id, name };
}
