/** A place in a film as part of an address: `?t=93`, also `1m33s` and `1:33` as people write it by hand. Pure. */

/** Seconds; `null` where there is no `t`, or one that is no time. */
export function startTimeOf(search: string): number | null {
  const text = new URLSearchParams(search).get("t")?.trim() ?? "";
  if (/^\d+(\.\d+)?s?$/.test(text)) return parseFloat(text);
  if (/^\d+(:[0-5]?\d){1,2}(\.\d+)?$/.test(text)) return text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  const named = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text);
  if (!text || !named) return null;
  const [, h = "0", m = "0", s = "0"] = named;
  return Number(h) * 3600 + Number(m) * 60 + Number(s);
}

/** The page's own address, beginning at this second. */
export function linkAt(href: string, seconds: number): string {
  const url = new URL(href);
  url.hash = "";
  if (seconds >= 1) url.searchParams.set("t", String(Math.floor(seconds)));
  else url.searchParams.delete("t");
  return url.href;
}
