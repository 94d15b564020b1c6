import { until } from '../src/contract/world.ts';
import type { FleetListener, FleetTopic } from '../src/engine.ts';

/** A listener that remembers. */
export interface Heard {
  readonly on: FleetListener;
  readonly topics: readonly FleetTopic[];
  readonly broken: readonly unknown[];
  /** Waits until the topic was hinted. */
  topic(topic: FleetTopic): Promise<void>;
  /** Acts, and waits until the topic was hinted after that. */
  next(topic: FleetTopic, act: () => Promise<void>): Promise<void>;
}

export function hearing(): Heard {
  const topics: FleetTopic[] = [];
  const broken: unknown[] = [];
  const count = (topic: FleetTopic): number => topics.filter((one) => one === topic).length;
  const more = async (topic: FleetTopic, before: number): Promise<void> => {
    await until(`a hint about ${topic}`, () => (count(topic) > before ? true : undefined));
  };
  return {
    on: { changed: (topic) => void topics.push(topic), broken: (error) => void broken.push(error) },
    topics,
    broken,
    topic: (topic) => more(topic, 0),
    next: async (topic, act) => {
      const before = count(topic);
      await act();
      await more(topic, before);
    },
  };
}

/** Returns what a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: unknown }> {
  return await promise.then(
    (value) => Promise.reject(new Error(`it has fulfilled with ${JSON.stringify(value)}`)),
    (error) => error,
  );
}
