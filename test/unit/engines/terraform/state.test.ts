import { expect, it } from "vitest";
import { resourceAttributes } from "../../../../providers/engines/terraform/schema.ts";
import { toState } from "../../../../providers/engines/terraform/state.ts";
import { user } from "../../../../providers/identity/user.ts";
import { TestCloud } from "../../../support/cloud.ts";

it.each([{}, { id: "its own" }])(
  "a record of an older release has the defaults of fields that it lacks, and keeps its secret: %j",
  async (more) => {
    await using test = await TestCloud.open();
    const view = await test.make("user", "ada", { password: "open sesame" });
    const older = { ...view, inputs: { name: "ada", ...more } };

    expect(toState(user, resourceAttributes(user), older, { password: "open sesame" })).toMatchObject({
      id: view.id,
      enabled: true,
      password: "open sesame",
    });
  },
);
