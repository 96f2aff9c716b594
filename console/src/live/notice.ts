/** What the live page says while there is no picture. Pure. */
import type { LivePhase } from "./player.ts";
import { t } from "../shared/language.ts";

/**
 * `seen`: a picture was shown before. `interrupted`: the publisher went away a moment ago, and the server keeps its
 * place. `null`: the notice has words of its own.
 */
export function noticeWords(phase: LivePhase, seen: boolean, interrupted: boolean): { title: string; detail: string } | null {
  if (phase === "away") return { title: t("The server does not answer", "服务器没有响应"), detail: t("Trying again until it does.", "正在不断重试。") };
  if (phase === "restarting") return { title: t("The picture stood still", "画面卡住了"), detail: t("It begins anew.", "正在重新开始。") };
  if (phase !== "waiting") return null;
  if (seen && interrupted) return { title: t("The stream is interrupted", "直播中断了"), detail: t("It goes on here when the publisher is back.", "推流恢复后，这里会自动继续。") };
  return seen
    ? { title: t("The stream has ended", "直播已结束"), detail: t("Should it come back, it goes on here by itself.", "如果重新开播，这里会自动继续。") }
    : { title: t("Waiting for the stream…", "正在等待直播…"), detail: t("It starts here by itself as soon as it is live.", "开播后会在这里自动开始。") };
}
