/** Why something does not play, in words for a person: what the pages of a stream and of a film both have to say. Pure. */
import { codecName } from "./codecs.ts";

export interface Failure {
  title: string;
  detail: string;
  /** Another player would do: show the addresses to copy. */
  elsewhere: boolean;
}

export function cannotPlay(codec: string): Failure {
  return {
    title: codec ? `This browser can’t play ${codecName(codec)}` : "This browser can’t play this stream",
    detail: "The stream itself is fine. Another browser may play it; mpv and ffplay will.",
    elsewhere: true,
  };
}

export const NO_SUCH_FILM: Failure = {
  title: "There is no film of this name",
  detail: "It may have been renamed or removed. Should it come, it starts here by itself.",
  elsewhere: false,
};

export const NOT_ALLOWED: Failure = {
  title: "You may not watch this stream",
  detail: "The server refused. If you were given a link, check that it is complete.",
  elsewhere: false,
};
