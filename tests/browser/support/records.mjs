// Exchanges as Tapline makes them, with what a test wants in them.

import { randomBytes } from "node:crypto";

/** An exchange that began `ago` seconds before now. */
export function exchange(ago, fields = {}) {
  return {
    exchange_id: randomBytes(16).toString("hex"),
    session_id: randomBytes(16).toString("hex"),
    ts: new Date(Date.now() - ago * 1000).toISOString(),
    role: "server",
    outcome: "complete",
    src_ip: "192.0.2.7",
    src_port: 50_000,
    dst_ip: "198.51.100.1",
    dst_port: 80,
    method: "GET",
    target: "/",
    version: "HTTP/1.1",
    host: "shop.example.com",
    user_agent: "curl/8.5.0",
    status: 200,
    content_type: "text/html",
    ttfb_us: 2000,
    total_us: 2500,
    request_bytes: 100,
    response_bytes: 1000,
    cpu_id: 0,
    reply_cpu_id: 1,
    ...fields,
  };
}

/** What would be markup, code, another direction or a line of its own, if it were not text. */
export const HOSTILE = {
  script: "<script>window.pwned=1</script>",
  image: '"><img src=x onerror="window.pwned=1">',
  quotes: "'\"`--></textarea><svg/onload=window.pwned=1>",
  address: "javascript:window.pwned=1//",
  template: "{{constructor.constructor('window.pwned=1')()}}${window.pwned=1}",
  direction: "\u202Efdp.exe\u2066\u2067\u05d0\u05d1\u05d2",
  hidden: "a\u200Bb\u00ADc\uFEFFd",
  long: `/long/${"w".repeat(8000)}/<b>end</b>`,
};

/**
 * Traffic of ten minutes of which all is known: 1,200 exchanges, 1,000 of them of `GET /api/user/list` on
 * shop.example.com with 200, 150 of `POST /api/order/create` on api.example.com with 201 and 404, 50 of
 * `GET /broken` with 503.
 */
export function traffic() {
  const rows = [];
  for (let index = 0; index < 1200; index += 1) {
    const ago = 5 + (index % 590);
    if (index % 24 === 0) {
      rows.push(exchange(ago, { target: "/broken", status: 503, ttfb_us: 400_000, src_ip: "192.0.2.9" }));
    } else if (index % 8 === 1) {
      const created = { method: "POST", target: "/api/order/create", host: "api.example.com" };
      rows.push(exchange(ago, { ...created, status: index % 16 === 1 ? 201 : 404, ttfb_us: 40_000 }));
    } else {
      rows.push(exchange(ago, { target: "/api/user/list", src_ip: `192.0.2.${index % 5}` }));
    }
  }
  return rows;
}
