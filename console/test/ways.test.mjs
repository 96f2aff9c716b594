/** By which way media comes, attempt by attempt. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./sources.mjs";

const { Ways } = await source("live/ways.ts");

const OVER_FLV = { video: true, audio: true, missing: "", overHls: false };
const OVER_HLS = { ...OVER_FLV, overHls: true };

/** Notes the end of an attempt by the way that is next, and says which that was. */
const tries = (ways, selection, ending, gotMedia = false, codec = "avc1.42c01e") => {
  const transport = ways.of(selection);
  ways.note({ transport, selection, gotMedia }, ending, codec);
  return transport;
};

test("a WebSocket, then HTTP, then HLS; what brings media stays", () => {
  const ways = new Ways(true);
  assert.deepEqual([1, 2, 3, 4].map(() => tries(ways, OVER_FLV, "lost")), ["ws", "http", "hls", "ws"]);
  const proxied = new Ways(true);
  tries(proxied, OVER_FLV, "lost");
  assert.equal(tries(proxied, OVER_FLV, "ended", true), "http");
  assert.equal(proxied.of(OVER_FLV), "http", "a proxy that breaks WebSockets breaks the next too");
  const fine = new Ways(true);
  assert.equal(tries(fine, OVER_FLV, "lost", true), "ws");
  assert.equal(fine.of(OVER_FLV), "ws", "a network that breaks is no reason to go another way");
});

test("without Media Source Extensions HLS stays the way", () => {
  const ways = new Ways(false);
  assert.deepEqual([1, 2, 3].map(() => tries(ways, OVER_FLV, "lost")), ["hls", "hls", "hls"]);
});

test("what FLV does not carry comes over HLS, and is done without where that brings nothing", () => {
  for (const endings of [["failed"], ["lost", "lost"], ["absent", "absent"]]) {
    const ways = new Ways(true);
    for (const ending of endings) {
      assert.equal(ways.obstacles.hls, false);
      assert.equal(tries(ways, OVER_HLS, ending), "hls");
    }
    assert.equal(ways.obstacles.hls, true, endings.join());
    assert.equal(ways.of(OVER_FLV), "ws", "FLV has its own way still");
    ways.beginAnew();
    assert.equal(ways.obstacles.hls, false, "the next broadcast may come through");
  }
  const played = new Ways(true);
  tries(played, OVER_HLS, "failed", true);
  tries(played, OVER_HLS, "stopped");
  assert.equal(played.obstacles.hls, false);
});

test("AV1 that does not come out of FLV is not asked for again, until the next broadcast", () => {
  const ways = new Ways(true);
  const av1 = "av01.0.00M.08";
  tries(ways, OVER_HLS, "failed", false, av1);
  tries(ways, OVER_FLV, "lost", false, av1);
  assert.equal(ways.obstacles.inFlv.size, 0, "one may be the network");
  tries(ways, OVER_FLV, "lost", false, av1);
  assert.deepEqual([...ways.obstacles.inFlv], [av1]);
  ways.beginAnew();
  assert.equal(ways.obstacles.inFlv.size, 0);
});
