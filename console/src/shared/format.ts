/** Figures for people. Pure; every function takes any number, also NaN and infinity, and never throws. */
import { t } from "./language.ts";

export function bitrate(bps: number): string {
  if (!(bps > 0) || !Number.isFinite(bps)) return "–";
  if (bps >= 1e6) return `${(bps / 1e6).toFixed(bps >= 1e7 ? 0 : 1)} Mbit/s`;
  return `${Math.max(1, Math.round(bps / 1e3))} kbit/s`;
}

/** `41 s`, `3:07`, `1:02:09`, `3 d 04 h`. */
export function duration(ms: number): string {
  if (!(ms >= 0) || !Number.isFinite(ms)) return "–";
  const seconds = Math.floor(ms / 1000);
  const [s, m, h, d] = [seconds % 60, Math.floor(seconds / 60) % 60, Math.floor(seconds / 3600), Math.floor(seconds / 86400)];
  if (d >= 2) return t(`${d} d ${pad(h % 24)} h`, `${d} 天 ${h % 24} 小时`);
  if (h > 0) return `${h}:${pad(m)}:${pad(s)}`;
  return m > 0 ? `${m}:${pad(s)}` : t(`${s} s`, `${s} 秒`);
}

/** A place in a film or its length, as players show it: `0:07`, `12:05`, `1:02:09`. */
export function clock(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–:––";
  const whole = Math.floor(Math.max(0, seconds));
  const [s, m, h] = [whole % 60, Math.floor(whole / 60) % 60, Math.floor(whole / 3600)];
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** The same for a screen reader: `1 hour 2 minutes 9 seconds`. */
export function clockInWords(seconds: number): string {
  if (!Number.isFinite(seconds)) return t("unknown", "未知");
  const whole = Math.floor(Math.max(0, seconds));
  const parts: Array<[number, string, string]> = [
    [Math.floor(whole / 3600), "hour", "小时"],
    [Math.floor(whole / 60) % 60, "minute", "分"],
    [whole % 60, "second", "秒"],
  ];
  const said = parts.filter(([value]) => value > 0).map(([value, unit, chinese]) => t(count(value, unit, `${unit}s`), `${value} ${chinese}`));
  return said.join(" ") || t("0 seconds", "0 秒");
}

export function size(bytes: number): string {
  if (!(bytes >= 0) || !Number.isFinite(bytes)) return "–";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const step = Math.min(units.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  return `${value.toFixed(step > 1 && value < 100 ? 1 : 0)} ${units[step]}`;
}

/** The day, in the reader's own way of writing it; empty where it is none. */
export function day(rfc3339: string, locale?: string): string {
  const date = new Date(rfc3339);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleDateString(locale, { year: "numeric", month: "short", day: "numeric" });
}

/** The time of day, likewise. */
export function timeOfDay(rfc3339: string, locale?: string): string {
  const date = new Date(rfc3339);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
}

/** `eng` or `de` as a word of the reader's language; what is no language stays as it is. */
export function language(code: string | null | undefined, locale?: string): string {
  if (!code || code === "und") return "";
  try {
    return new Intl.DisplayNames(locale ?? [], { type: "language" }).of(code) ?? code;
  } catch {
    return code.slice(0, 20);
  }
}

export function frameRate(fps: number | null): string {
  if (fps === null || !(fps > 0) || !Number.isFinite(fps)) return "";
  const rounded = Math.round(fps * 100) / 100;
  return `${Number.isInteger(rounded) ? rounded : rounded.toFixed(2)} fps`;
}

export function resolution(width: number | null, height: number | null): string {
  return width && height && width > 0 && height > 0 ? `${width} × ${height}` : "";
}

export function sound(sampleRate: number | null, channels: number | null): string {
  const rate = sampleRate && sampleRate > 0 ? `${Number((sampleRate / 1000).toFixed(2))} kHz` : "";
  const layout = channels === 1 ? t("mono", "单声道") : channels === 2 ? t("stereo", "立体声") : channels && channels > 2 ? t(`${channels} channels`, `${channels} 声道`) : "";
  return [rate, layout].filter(Boolean).join(" ");
}

export function seconds(value: number): string {
  return Number.isFinite(value) ? `${Math.max(0, value).toFixed(2)} s` : "–";
}

export function count(value: number, one: string, many: string): string {
  return `${value} ${value === 1 ? one : many}`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
