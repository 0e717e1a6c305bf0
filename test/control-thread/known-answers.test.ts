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

  it("are unknown after a write that concerns them, those that were asked for before it included", () => {
    const answers = new KnownAnswers(1_000);
    const asked = answers.generation();
    const urls = [
      "/v1/jobs",
      "/v1/jobs?limit=1",
      "/v1/jobs/a",
      "/v1/jobs/a/log",
      "/v1/jobs/b",
      "/v1/jobs/ab",
      "/v1/books",
    ];
    for (const url of urls) answers.keep(url, known(1), asked);
    answers.written("/v1/jobs/a?x=1");
    const left = () => urls.filter((url) => answers.get(url) !== undefined);
    assert.deepStrictEqual(left(), ["/v1/jobs/b", "/v1/jobs/ab", "/v1/books"]);
    for (const url of urls) answers.keep(url, known(1), asked);
    assert.deepStrictEqual(left(), ["/v1/jobs/b", "/v1/jobs/ab", "/v1/books"]);
    for (const url of urls) answers.keep(url, known(1), answers.generation());
    assert.deepStrictEqual(left(), urls);
  });

  it("of the configuration are unknown after whatever was asked of its control process", () => {
    for (const command of ["apply", "rollback", "freeze", "unfreeze", "halt", "resume"]) {
      const answers = new KnownAnswers(1_000);
      const urls = ["/v1/config/status", "/v1/config/plan", "/v1/config/history?limit=5"];
      for (const url of [...urls, "/v1/books"]) answers.keep(url, known(1), 0);
      answers.written(`/v1/config/${command}`);
      for (const url of urls) assert.isUndefined(answers.get(url), `${url} after ${command}`);
      assert.isDefined(answers.get("/v1/books"));
      assert.isFalse(answers.keep("/v1/config/status", known(1), 0), "asked for before it");
    }
  });

  it("of every push job are unknown after a transaction, which may have changed any", () => {
    const answers = new KnownAnswers(1_000);
    for (const url of ["/v1/jobs?limit=1", "/v1/jobs/a", "/v1/books"]) answers.keep(url, known(1), 0);
    answers.written("/v1/jobs/transactions");
    assert.isUndefined(answers.get("/v1/jobs?limit=1"));
    assert.isUndefined(answers.get("/v1/jobs/a"));
    assert.isDefined(answers.get("/v1/books"));
  });

  it("are not kept when more was written meanwhile than is remembered", () => {
    const answers = new KnownAnswers(1_000);
    const asked = answers.generation();
    for (let at = 0; at < 5_000; at += 1) answers.written(`/v1/jobs/${at}`);
    assert.isFalse(answers.keep("/v1/books", known(1), asked));
    assert.isTrue(answers.keep("/v1/books", known(1), answers.generation()));
  });
});
