/** Which part of the console the address names, after its `#`. Pure. */

/** What the part of the address after `#` says. */
export function parseHash(hash: string): { films: boolean; search: string; page: number } {
  const [name, query = ""] = hash.replace(/^#/, "").split("?", 2);
  const said = new URLSearchParams(query);
  const page = Number(said.get("page") ?? 1);
  return { films: name === "films", search: said.get("search") ?? "", page: Number.isSafeInteger(page) && page > 0 ? page : 1 };
}

export function formatHash(search: string, page: number): string {
  const query = new URLSearchParams();
  if (search) query.set("search", search);
  if (page > 1) query.set("page", String(page));
  return query.size > 0 ? `#films?${query}` : "#films";
}
