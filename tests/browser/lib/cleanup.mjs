/** What a test has set up is taken down after it, the last thing first: the server before its folder. */

const undone = new WeakMap();

export function cleanUp(t, undo) {
  if (!undone.has(t)) {
    const stack = [];
    undone.set(t, stack);
    t.after(async () => {
      while (stack.length > 0) await stack.pop()();
    });
  }
  undone.get(t).push(undo);
}

/** Run what is no test, and take down after it what it has set up. */
export async function once(take) {
  const undone = [];
  try {
    await take({ after: (undo) => undone.push(undo) });
  } finally {
    for (const undo of undone.reverse()) await undo();
  }
}
