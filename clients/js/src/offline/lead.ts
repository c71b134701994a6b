/**
 * One of the tabs that share a storage leads: by a Web Lock where the platform has them; where not, by a lease in the storage that it
 * renews. A tab whose lease was taken, as it slept too long, hears of it when it looks; what it did meanwhile does no harm, as
 * writes bear ids and the storage's own conditions hold.
 */

import { StorageError, type OfflineStorage } from "./storage.js";

/** The platform's `navigator.locks`. */
export type Locks = Pick<LockManager, "request">;

/** Milliseconds that a lease lasts; it is renewed three times in that. */
const LEASE = 9000;

/** Whoever waits to lead. */
export interface Candidate {
  /** We lead from now on. */
  leads(): void;
  /** Not any more. */
  lost(): void;
  /** The storage failed; it is tried again. */
  failed(error: StorageError): void;
}

/** Wait to lead in the matter of `subject`; the function returned ends that, and leaves it to others. */
export function lead(storage: OfflineStorage, subject: string, tab: string, candidate: Candidate, locks: Locks | undefined): () => void {
  if (storage.name === undefined) {
    // Nobody else can see it.
    let isOver = false;
    queueMicrotask(() => isOver || candidate.leads());
    return () => void (isOver = true);
  }
  return locks ? leadByLock(locks, `backsync:${storage.name}:${subject}`, candidate) : leadByLease(storage, `lease:${subject}`, tab, candidate);
}

function leadByLock(locks: Locks, name: string, candidate: Candidate): () => void {
  let release: (() => void) | undefined;
  const giveUp = new AbortController();
  const holding = locks.request(name, { signal: giveUp.signal }, () => {
    if (giveUp.signal.aborted) return undefined;
    candidate.leads();
    return new Promise<void>((resolve) => (release = resolve));
  });
  holding.catch((cause) => {
    if (giveUp.signal.aborted) return;
    // Another may have stolen it, or the page may not use locks.
    candidate.lost();
    candidate.failed(StorageError.of(cause));
  });
  return () => {
    giveUp.abort();
    release?.();
  };
}

function leadByLease(storage: OfflineStorage, key: string, tab: string, candidate: Candidate): () => void {
  let mine: string | undefined;
  let isOver = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const look = async (): Promise<void> => {
    const [, text] = (await storage.list(key)).find(([found]) => found === key) ?? [];
    const until = Number(text?.slice(0, text.indexOf(" ")) ?? 0);
    // One that ends much too late was made by a clock that was put back since.
    const isTaken = text !== undefined && text !== mine && until > Date.now() && until <= Date.now() + 2 * LEASE;
    if (mine !== undefined && text !== mine) {
      mine = undefined;
      candidate.lost();
    }
    if (isTaken || isOver) return;
    const next = `${Date.now() + LEASE} ${tab}`;
    if (!(await storage.write(new Map([[key, next]]), { key, text }))) return;
    const isNew = mine === undefined;
    mine = next;
    if (isNew && !isOver) candidate.leads();
  };

  const turn = (): void => {
    look()
      .catch((error: StorageError) => candidate.failed(error))
      .finally(() => {
        if (isOver) leave();
        else timer = setTimeout(turn, LEASE / 3);
      });
  };
  const leave = (): void => {
    // Others need not wait until it is over.
    if (mine !== undefined) storage.write(new Map([[key, null]]), { key, text: mine }).catch(() => {});
    mine = undefined;
  };
  turn();
  return () => {
    isOver = true;
    clearTimeout(timer);
    leave();
  };
}
