/**
 * Terminal escapes in a message: colours become runs of text with a class, everything else is removed, and control
 * characters become the picture of themselves, so that a line is always one line of readable text.
 */

// CSI, OSC (ended by BEL or ST, or cut off by the end of the line), and the short two-character escapes.
const ESCAPE = /\x1b\[([0-9;:?<=>]*)[ -/]*([@-~])|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?/g;
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g;
// Marks that turn the direction of what follows could make a line read as something else than it says.
const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;

const picture = (text) =>
  text
    .replace(CONTROL, (c) => (c === "\r" ? "" : c === "\x7f" ? "\u2421" : String.fromCharCode(0x2400 + c.charCodeAt(0))))
    .replace(TURNS, "\ufffd");

/** The text alone. Newlines and tabs stay. */
export function plain(text) {
  return picture(text.includes("\x1b") ? text.replace(ESCAPE, "") : text);
}

/** The text as runs `{text, style}`; `style` is a space-separated list of class names, empty for plain text. */
export function runs(text) {
  if (!text.includes("\x1b")) return [{ text: picture(text), style: "" }];
  const out = [];
  const pen = { colour: null, bold: false, dim: false, italic: false, underline: false };
  let from = 0;
  const take = (to) => {
    const piece = picture(text.slice(from, to));
    if (piece) out.push({ text: piece, style: styleOf(pen) });
  };
  for (const escape of text.matchAll(ESCAPE)) {
    take(escape.index);
    from = escape.index + escape[0].length;
    if (escape[2] === "m") recolour(pen, escape[1]);
  }
  take(text.length);
  return out;
}

function styleOf(pen) {
  const names = [];
  if (pen.colour !== null) names.push(`ansi-${pen.colour}`);
  for (const name of ["bold", "dim", "italic", "underline"]) if (pen[name]) names.push(`ansi-${name}`);
  return names.join(" ");
}

function recolour(pen, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) Object.assign(pen, { colour: null, bold: false, dim: false, italic: false, underline: false });
    else if (code === 1) pen.bold = true;
    else if (code === 2) pen.dim = true;
    else if (code === 3) pen.italic = true;
    else if (code === 4) pen.underline = true;
    else if (code === 22) pen.bold = pen.dim = false;
    else if (code === 23) pen.italic = false;
    else if (code === 24) pen.underline = false;
    else if (code >= 30 && code <= 37) pen.colour = code - 30;
    else if (code >= 90 && code <= 97) pen.colour = code - 90;
    else if (code === 39) pen.colour = null;
    else if (code === 38 || code === 48) {
      // 256-colour and true-colour palettes would fight the theme: only the first sixteen are kept.
      if (codes[i + 1] === 5) {
        if (code === 38) pen.colour = codes[i + 2] < 16 ? codes[i + 2] % 8 : null;
        i += 2;
      } else i += 4;
    }
  }
}
