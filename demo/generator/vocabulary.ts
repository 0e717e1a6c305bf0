/** The words that requests are made of: shapes and weights as in a real site's log, names of our own. */

export const hosts = [
  "www.harbour.example",
  "shop.northwind.example",
  "api.paperboat.example",
  "docs.river.example",
  "media.pines.example",
] as const;

/** More frequent ones come more than once; `%` becomes a version number. */
export const userAgents = [
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/% Safari/537.36",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/% Safari/537.36",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/% Safari/537.36",
  "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/%",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/%",
  "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/%",
  "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
  "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
  "Mozilla/5.0 (compatible; archive.example_bot/%)",
  "FeedFetcher/% (+https://feeds.example/about)",
  "",
  "curl/%",
] as const;

export const referers = [
  "",
  "",
  "https://www.google.com/",
  "https://duckduckgo.com/",
  "https://news.example/item?id=42066431",
  "https://www.bing.com/",
] as const;

export const sections = ["blog", "articles", "products", "projects", "presentations", "guides", "tags"] as const;

export const topics = [
  "winter-coats",
  "sailing-logbook",
  "river-gauges",
  "lighthouse-tour",
  "camp-kitchens",
  "trail-running",
  "map-reading",
  "knots-and-splices",
  "weather-stations",
  "harvest-festival",
  "paper-boats",
  "night-trains",
] as const;

/** What a page pulls in; `%` becomes the hash in its name. */
export const assets = [
  "/assets/style-%.css",
  "/assets/app-%.js",
  "/images/logo.svg",
  "/images/%.jpg",
  "/images/%.jpg",
  "/favicon.ico",
  "/images/map-%.png",
  "/reset.css",
] as const;

/** 91 % of real answers are 200. */
export const statuses = [200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 304, 404, 301, 206] as const;
