import { assert, describe, it } from "@effect/vitest";
import { KnownAnswers } from "../../src/control-thread/known-answers.ts";

const known = (bytes: number) => ({
  answer: { status: 200, headers: {}, body: new Uint8Array(bytes) },
  asOfMillis: 0,
  keptMillis: 0,
});

describe("known answers", () => {
  it("are bounded in bytes: what was asked last stays", () => {
    const answers = new KnownAnswers(1_000);
    for (const url of ["/a", "/b", "/c", "/d"]) assert.isTrue(answers.keep(url, known(250), 0));
    answers.touch("/a");
    answers.keep("/e", known(250), 0);
    assert.isDefined(answers.get("/a"));
    assert.isUndefined(answers.get("/b"));
    assert.isFalse(answers.keep("/large", known(251), 0), "a quarter of all is the most for one");
  });

  it("count an answer once that replaces another", () => {
    const answers = new KnownAnswers(1_000);
    answers.keep("/a", known(250), 0);
    for (let at = 0; at < 10; at += 1) answers.keep("/b", known(250), 0);
    assert.isDefined(answers.get("/a"));
  });

  it("are bounded in number", () => {
    const answers = new KnownAnswers(1_000_000);
    for (let at = 0; at < 300; at += 1) answers.keep(`/${at}`, known(1), 0);
    assert.isUndefined(answers.get("/43"));
    assert.isDefined(answers.get("/44"));
  });

  it("of a collection are unknown after a write to it, those that were begun before it included", () => {
    const answers = new KnownAnswers(1_000);
    const begun = answers.generation("/v1/jobs?limit=1");
    for (const url of ["/v1/jobs", "/v1/jobs/a", "/v1/books"]) answers.keep(url, known(1), 0);
    answers.written("/v1/jobs/a?x=1");
    assert.isUndefined(answers.get("/v1/jobs"));
    assert.isUndefined(answers.get("/v1/jobs/a"));
    assert.isDefined(answers.get("/v1/books"));
    assert.isFalse(answers.keep("/v1/jobs?limit=1", known(1), begun));
    assert.isTrue(answers.keep("/v1/jobs?limit=1", known(1), answers.generation("/v1/jobs")));
  });
});
