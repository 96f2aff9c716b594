/** What is wrong with a live stream, in words for a person: the server finds it and tells it in numbers. Pure. */
import type { Finding, Stream } from "./api.ts";
import { LANGUAGE, t } from "./language.ts";

/** Who can't play a codec that the server passes on, by the server's name of it. */
const UNPLAYED: Record<string, [string, string]> = {
  "H.265": ["Firefox can’t", "Firefox 无法播放"],
  AV1: ["older phones and Safari can’t", "旧手机和 Safari 无法播放"],
  VVC: ["no browser can", "没有浏览器能播放"],
  "AC-3": ["Chrome and Firefox can’t", "Chrome 和 Firefox 无法播放"],
  "E-AC-3": ["Chrome and Firefox can’t", "Chrome 和 Firefox 无法播放"],
};

/** The worst first; empty while all is well. `now`: milliseconds since 1970. */
export function ailments(stream: Stream, now: number): string[] {
  const codecs = [stream.video?.codec, stream.audio?.codec].filter((codec) => codec !== undefined && codec in UNPLAYED) as string[];
  const unplayed = codecs.map((codec) => `${codec}: ${t(...(UNPLAYED[codec] ?? ["", ""]))}`);
  return [...(stream.health ?? []).map((finding) => inWords(finding, now)).filter(Boolean), ...unplayed];
}

function inWords(finding: Finding, now: number): string {
  switch (finding.kind) {
    case "no_keyframe":
      return t(`Pictures without a keyframe for ${whole(finding.for_ms)}: nobody sees anything yet`, `${whole(finding.for_ms)}没有关键帧：还没有人能看到画面`);
    case "keyframes_far":
      return t(
        `A keyframe every ${whole(finding.every_ms)}: newcomers wait. Set the encoder to one every 2 s`,
        `每 ${whole(finding.every_ms)}才有一个关键帧：新观众需要等待。请把编码器的关键帧间隔设为 2 秒`,
      );
    case "silent":
      return finding.track === "audio"
        ? t(`No sound for ${whole(finding.for_ms)}`, `${whole(finding.for_ms)}没有声音`)
        : t(`No picture for ${whole(finding.for_ms)}`, `${whole(finding.for_ms)}没有画面`);
    case "apart": {
      const by = Math.round(Math.abs(finding.audio_ahead_ms) / 10) * 10;
      return finding.audio_ahead_ms > 0 ? t(`Sound runs ${by} ms ahead`, `声音超前 ${by} 毫秒`) : t(`Sound lags ${by} ms behind`, `声音滞后 ${by} 毫秒`);
    }
    case "pace": {
      const percent = Math.round(finding.permille / 10);
      return finding.permille < 1000
        ? t(`Comes at ${percent} % of its speed: the encoder or its network can’t keep up`, `到达速度只有正常的 ${percent} %：编码器或网络跟不上`)
        : t(`Comes at ${percent} % of its speed: is a file sent without a pace (ffmpeg -re)?`, `到达速度是正常的 ${percent} %：是否没有按实时速度发送文件（ffmpeg -re）？`);
    }
    case "jumped": {
      const at = new Date(now - finding.ago_ms).toLocaleTimeString(LANGUAGE, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
      const often = finding.times > 1 ? t(`, ${finding.times} times so far`, `，至今 ${finding.times} 次`) : "";
      if (finding.by_ms === null) return t(`Timestamps began anew at ${at}`, `时间戳在 ${at} 重新开始`) + often;
      const by = whole(Math.abs(finding.by_ms));
      return (finding.by_ms > 0 ? t(`Timestamps jumped by ${by} at ${at}`, `时间戳在 ${at} 向前跳了 ${by}`) : t(`Timestamps went back by ${by} at ${at}`, `时间戳在 ${at} 后退了 ${by}`)) + often;
    }
    default:
      // A server that is newer than the page.
      return "";
  }
}

function whole(ms: number): string {
  const seconds = ms < 10_000 && ms % 1000 >= 50 ? (ms / 1000).toFixed(1) : String(Math.round(ms / 1000));
  return t(`${seconds} s`, `${seconds} 秒`);
}
