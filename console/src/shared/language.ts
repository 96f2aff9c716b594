/**
 * The language of the pages: English or 中文, whichever the browser asks for first. Every text stands where it is used,
 * in both: `t("Copied", "已复制")`.
 */
export type Language = "en" | "zh-CN";

/** `asked`: language tags, the dearest first, as `navigator.languages` has them. English where none is ours. */
export function chooseLanguage(asked: readonly string[]): Language {
  for (const tag of asked) {
    const primary = tag.toLowerCase().split("-", 1)[0];
    if (primary === "zh") return "zh-CN";
    if (primary === "en") return "en";
  }
  return "en";
}

export const LANGUAGE: Language = chooseLanguage(globalThis.navigator?.languages ?? []);

export function t(english: string, chinese: string): string {
  return LANGUAGE === "en" ? english : chinese;
}
