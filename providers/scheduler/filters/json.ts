import type { Filter } from "../filter.ts";
import { answerQuery, parseQuery } from "../json-query.ts";
import { hintedText } from "../request.ts";

/** The host answers the query of hint `query` with a truth (nova: scheduler/filters/json_filter.py). */
export const json: Filter = {
  name: "JsonFilter",
  oncePerRequest: false,
  runsOnRebuild: false,
  prepare: (request) => {
    const text = hintedText(request, "query");
    if (text === undefined) return undefined;
    const query = parseQuery(text);
    return (host) => answerQuery(query, host);
  },
};
