import type { World } from "../core/resource.ts";
import type { RecordMirror } from "./mirror.ts";

/** The cloud as the store has it. */
export function viewStore(mirror: RecordMirror): World {
  return {
    find: (type, id) => {
      const record = mirror.find(id);
      return record?.type === type ? record : undefined;
    },
    all: (type) => mirror.all(type),
    holder: (kind, scope, value) => mirror.holder(kind, scope, value),
  };
}
