/** Chromium, and pages that report what went wrong on them. */

import { access } from "node:fs/promises";
import { chromium } from "playwright-core";

import { cleanUp } from "./cleanup.mjs";

const CHROMIUM = "/usr/bin/chromium";

const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** A browser with an empty profile in a temporary folder, closed with the test. */
export async function openBrowser(t) {
  await access(CHROMIUM).catch(() => {
    throw new Error(`there is no ${CHROMIUM}: apt-get install chromium`);
  });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
  cleanUp(t, () => browser.close());
  return browser;
}

/**
 * A page of its own context (storage, cache). `page.troubles` collects errors: uncaught ones, those on the console
 * (violations of the content security policy are there too), and answers that were failures.
 */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.troubles = [];
  page.on("pageerror", (error) => page.troubles.push(`uncaught: ${error.stack ?? error}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.troubles.push(`${message.type()}: ${message.text()}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) page.troubles.push(`${response.status()} ${response.url()}`);
  });
  await page.goto(url);
  return page;
}

/** While its server is away a page has troubles that are no fault of its own. */
export const ofLostConnection = (trouble) => /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|WebSocket connection to/.test(trouble);
