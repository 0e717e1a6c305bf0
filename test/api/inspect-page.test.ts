import { assert, describe, it } from "@effect/vitest";
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { bufferMachine } from "../../src/actors/buffer/machine.ts";
import { fingerprint as written, page, scriptHash, styleHash } from "../../src/api/inspect-page.generated.ts";
import { isInspectPage } from "../../src/api/inspect-page.ts";
import { type ChartState, chartModelOf } from "../../scripts/inspect-page/chart-model.ts";
import { fingerprint } from "../../scripts/inspect-page/sources.ts";

describe("the page of /inspect/{job}", () => {
  it("was made from the machine and the sources as they are", () => {
    assert.strictEqual(
      written,
      fingerprint(),
      "run `npm run inspect-page`, and commit src/api/inspect-page.generated.ts",
    );
  });

  it("draws every state and every arrow of the machine", () => {
    const { edges, root } = chartModelOf(bufferMachine);
    const idsOf = ({ children, id }: ChartState): Array<string> => [id, ...children.flatMap(idsOf)];
    for (const id of idsOf(root)) assert.include(page, `data-state="${id}"`);
    assert.isAbove(edges.length, 20);
    for (const { source, target } of edges) assert.include(page, `data-source="${source}" data-target="${target}"`);
  });

  it("needs nothing from elsewhere, and has no script or style but the two that its policy names", () => {
    const hashOf = (tag: string) => {
      const [text, ...more] = [...page.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, "g"))].map(([, inner]) => inner);
      assert.deepStrictEqual(more, []);
      return `sha256-${createHash("sha256").update(text!).digest("base64")}`;
    };
    assert.strictEqual(scriptHash, hashOf("script"));
    assert.strictEqual(styleHash, hashOf("style"));
    assert.notMatch(page.replaceAll("http://www.w3.org/2000/svg", ""), /https?:\/\//);
    assert.notMatch(page, /<(?:link|img|iframe|object)\b|\son\w+=|\sstyle=|javascript:/i);
  });

  it("is at the paths of jobs only", () => {
    const is = (url: string, method = "GET") => isInspectPage({ url, method } as IncomingMessage);
    assert.isTrue(is("/inspect/acme-logs"));
    assert.isTrue(is("/inspect/acme-logs?x=1", "HEAD"));
    for (const url of ["/inspect", "/inspect/", "/inspect/a/b", "/inspect/a.b", "/v1/inspect/a"])
      assert.isFalse(is(url));
    assert.isFalse(is("/inspect/a", "POST"));
  });
});
