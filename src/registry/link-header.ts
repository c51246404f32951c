/**
 * Where the next page is, as a `Link` header says it; undefined where there is none. Relative to the page's own URL.
 * Source: RFC 8288, 3; OCI distribution spec v1.1, "Listing Tags".
 */
export function nextLink(header: string | undefined, page: URL): URL | undefined {
  for (const [, target = '', parameters = ''] of (header ?? '').matchAll(
    /<([^>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"[^"]*"|[^",;]*))?)*)/g,
  )) {
    const relation = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]+))/i.exec(parameters);
    const names = (relation?.[1] ?? relation?.[2] ?? '').toLowerCase().split(/\s+/);
    if (names.includes('next') && URL.canParse(target, page.href)) return new URL(target, page);
  }
  return undefined;
}
