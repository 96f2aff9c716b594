/** Why something does not play, in words for a person: what the pages of a stream and of a film both have to say. Pure. */
import { codecName } from "./codecs.ts";
import { t } from "../language.ts";

export interface Failure {
  title: string;
  detail: string;
  /** Another player would do: show the addresses to copy. */
  elsewhere: boolean;
}

export function cannotPlay(codec: string): Failure {
  return {
    title: codec
      ? t(`This browser can’t play ${codecName(codec)}`, `此浏览器无法播放 ${codecName(codec)}`)
      : t("This browser can’t play this stream", "此浏览器无法播放该直播"),
    detail: t("The stream itself is fine. Another browser may play it; mpv and ffplay will.", "直播本身没有问题。换一个浏览器也许可以播放；mpv 和 ffplay 一定可以。"),
    elsewhere: true,
  };
}

export const NO_SUCH_FILM: Failure = {
  title: t("There is no film of this name", "没有这个名称的影片"),
  detail: t("It may have been renamed or removed. Should it come, it starts here by itself.", "它可能已被改名或删除。一旦出现，会在这里自动开始播放。"),
  elsewhere: false,
};

export const NOT_ALLOWED: Failure = {
  title: t("You may not watch this stream", "您无权观看该直播"),
  detail: t("The server refused. If you were given a link, check that it is complete.", "服务器拒绝了请求。如果您是通过链接来的，请检查链接是否完整。"),
  elsewhere: false,
};
