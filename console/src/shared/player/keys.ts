/** The keys of both players, as the web's players have them. A page leaves out what it has no use for. */

export type Command =
  | { kind: "toggle" | "mute" | "subtitles" | "fullscreen" | "pip" | "about" | "close" }
  | { kind: "by"; seconds: number }
  | { kind: "share"; share: number }
  | { kind: "frame"; frames: number }
  | { kind: "volume" | "rate"; by: number };

/** What the keyboard has: a `button` takes space and enter for itself, a `field` the arrows and more. */
export type Focus = "none" | "button" | "field";

type Key = Pick<KeyboardEvent, "key" | "repeat" | "ctrlKey" | "metaKey" | "altKey">;

const COMMANDS: Record<string, Command> = {
  " ": { kind: "toggle" },
  k: { kind: "toggle" },
  j: { kind: "by", seconds: -10 },
  l: { kind: "by", seconds: 10 },
  arrowleft: { kind: "by", seconds: -5 },
  arrowright: { kind: "by", seconds: 5 },
  arrowup: { kind: "volume", by: 0.1 },
  arrowdown: { kind: "volume", by: -0.1 },
  home: { kind: "share", share: 0 },
  end: { kind: "share", share: 1 },
  ",": { kind: "frame", frames: -1 },
  ".": { kind: "frame", frames: 1 },
  "<": { kind: "rate", by: -1 },
  ">": { kind: "rate", by: 1 },
  m: { kind: "mute" },
  c: { kind: "subtitles" },
  f: { kind: "fullscreen" },
  p: { kind: "pip" },
  i: { kind: "about" },
  escape: { kind: "close" },
};
/** What goes on while a key is held down; the rest happens once. */
const HELD = new Set(["by", "frame", "volume"]);

/** What has the keyboard, by the element that a key was pressed on. */
export function focusOf(target: EventTarget | null): Focus {
  const control = target instanceof Element ? target.closest("button, a, input, summary") : null;
  return control === null ? "none" : control.matches("input") ? "field" : "button";
}

/** Pure. */
export function commandOf(event: Key, focus: Focus): Command | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const key = event.key.toLowerCase();
  if (focus !== "none" && (key === " " || key === "enter")) return null;
  if (focus === "field" && (key.startsWith("arrow") || key === "home" || key === "end")) return null;
  const command = /^[0-9]$/.test(key) ? ({ kind: "share", share: Number(key) / 10 } as const) : COMMANDS[key];
  return command && (!event.repeat || HELD.has(command.kind)) ? command : null;
}
