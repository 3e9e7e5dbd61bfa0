/** What is known of a Pod after news of it, which may come late or twice. Pure; `PodWatch.ts` hears it. */
import { hasEnded, type PodView } from "./pod/PodView.ts"

/** What is known of one Pod: its latest view, and whether it was proved gone since. */
export interface Observation {
  readonly view: PodView
  readonly gone: boolean
  /** Whether this process has asked it to go. */
  readonly asked: boolean
}

/**
 * The very same where the news tells nothing, undefined where the Pod is not to be known.
 * @param hasDeparted whether it was proved gone before: a late answer must not bring one back, for nothing would end it
 */
export const after = (
  known: Observation | undefined,
  news: Observation,
  hasDeparted: boolean
): Observation | undefined => {
  if (known === undefined) return news.gone || hasDeparted ? undefined : news
  // An answer to a call may be older than what the watch has said since.
  if (known.gone || news.view.version < known.view.version) return known
  return { ...news, asked: news.asked || known.asked }
}

/** Whether a Pod that left the list is gone for that; another may have lost its label only. */
export const isGoneWith = (view: PodView): boolean => hasEnded(view) || view.deletionTimestamp !== undefined

/**
 * Whether a list has what a watch has passed over.
 * @param heardUpTo the watch claims to have told of every change up to this version
 */
export const wasMissed = (
  listed: PodView,
  known: Observation | undefined,
  hasDeparted: boolean,
  heardUpTo: number
): boolean =>
  listed.version <= heardUpTo && (known === undefined ? !hasDeparted : known.view.version < listed.version)
