/** The names of codecs: what the server calls them, and what a browser is asked for. Pure. */

/** For a codec that the server names but does not look into: what to ask the browser for instead. */
const TYPICAL: Record<string, string> = {
  "H.264": "avc1.42c01e",
  "H.265": "hvc1.1.6.L93.B0",
  AV1: "av01.0.04M.08",
  AAC: "mp4a.40.2",
  MP3: "mp3",
  Opus: "opus",
  FLAC: "flac",
};
/** What FLV carried in its first years; no browser ever played it without a plug-in. */
const KNOWN_TO_FAIL = /H\.263|Screen video|VP6|PCM|G\.711|Nellymoser|Speex|^FLV /;
const MP3 = /^(mp3|mp4a\.(6b|69|40\.34))$/i;

/** What to ask the browser for, for this track; `undefined` where nobody knows, `null` where none will do. */
export function codecOf(track: { codec: string; codec_string: string | null }): string | null | undefined {
  return track.codec_string || (TYPICAL[track.codec] ?? (KNOWN_TO_FAIL.test(track.codec) ? null : undefined));
}

/** Browsers know MP3 by several names. */
export function isMp3(codec: string): boolean {
  return MP3.test(codec);
}

/** A codec name comes from the server, which had it from a stranger: never more than a few words of it. */
export function codecName(codec: string): string {
  return codec.slice(0, 40);
}
