import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { type AnsweredPage, followPages, type PageParameters } from "../../src/api/follow-pages.ts";

const scripted = (answers: ReadonlyArray<AnsweredPage<string>>) => {
  const asked: Array<PageParameters> = [];
  const ask = (parameters: PageParameters) =>
    Effect.sync(() => {
      asked.push(parameters);
      return answers[asked.length - 1]!;
    });
  return { ask, asked };
};

describe("following pages", () => {
  it.effect("asks with each next until there is none, also after an empty page", () =>
    Effect.gen(function* () {
      const { ask, asked } = scripted([
        { items: ["a"], next: "a" },
        { items: [], next: 7 },
        { items: ["b"], next: undefined },
      ]);
      assert.deepStrictEqual(yield* followPages(ask), { found: ["a", "b"], more: false });
      assert.deepStrictEqual(asked, [{ limit: "1000" }, { limit: "1000", after: "a" }, { limit: "1000", after: "7" }]);
    }),
  );

  it.effect("asks for no more than is wanted, and says that there is more", () =>
    Effect.gen(function* () {
      const { ask, asked } = scripted([
        { items: ["a", "b"], next: "b" },
        { items: ["c"], next: "c" },
      ]);
      assert.deepStrictEqual(yield* followPages(ask, 3), { found: ["a", "b", "c"], more: true });
      assert.deepStrictEqual(asked, [{ limit: "3" }, { limit: "1", after: "b" }]);
    }),
  );

  it.effect("ends although a page begins where it began, and fails with its page", () =>
    Effect.gen(function* () {
      const { ask } = scripted(Array.from({ length: 3 }, () => ({ items: ["a"], next: "a" })));
      assert.deepStrictEqual(yield* followPages(ask), { found: ["a", "a"], more: true });
      assert.strictEqual(yield* Effect.flip(followPages(() => Effect.fail("no answer"))), "no answer");
    }),
  );
});
