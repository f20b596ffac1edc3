import type { TopicPartition } from "./assignor.ts";

/** A map whose keys are partitions, by what they say: without a text for each, which would cost more than all else. */
export class PartitionMap<Value> {
  readonly #byTopic = new Map<string, Map<number, Value>>();

  get({ topic, partition }: TopicPartition): Value | undefined {
    return this.#byTopic.get(topic)?.get(partition);
  }

  has({ topic, partition }: TopicPartition): boolean {
    return this.#byTopic.get(topic)?.has(partition) === true;
  }

  set({ topic, partition }: TopicPartition, value: Value): void {
    const numbers = this.#byTopic.get(topic);
    if (numbers === undefined) this.#byTopic.set(topic, new Map([[partition, value]]));
    else numbers.set(partition, value);
  }
}
