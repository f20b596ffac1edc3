/**
 * Who of a topic's subscribers has the fewest partitions, and who the most, while they are moved from these to those
 * (`MemberAssignmentBalancer`). Members are known by their places.
 *
 * Goes through the members in waves instead of sorting them again: all that had the fewest get one, then all that have the fewest
 * now. The other end likewise.
 */
export class Balancer {
  /** How many each member has, which whoever uses this keeps up to date. */
  readonly #sizes: readonly number[];
  /** By size, then by place. */
  readonly #sorted: number[];
  /** The wave at the lower end: who comes before this place. */
  #leastEnd = 0;
  /** How many the members of that wave had at its beginning. */
  #leastSize: number;
  #nextLeast = 0;
  /** The wave at the upper end: from here to before {@link #mostEnd}; after that are those that have nothing to give. */
  #mostStart: number;
  #mostEnd: number;
  #mostSize: number;
  #nextMost: number;

  /** @param members - at least one. */
  constructor(members: readonly number[], sizes: readonly number[]) {
    this.#sizes = sizes;
    this.#sorted = members.toSorted((one, other) => this.#sizeOf(one) - this.#sizeOf(other) || one - other);
    this.#leastSize = this.#sizeAt(0) - 1;
    this.#mostStart = members.length;
    this.#mostEnd = members.length;
    this.#mostSize = this.#sizeAt(members.length - 1) + 1;
    this.#nextMost = members.length - 1;
  }

  /** Nothing that is moved from the wave at the upper end to that at the lower one makes anything more even. */
  get isEven(): boolean {
    return this.#mostSize - this.#leastSize <= 1;
  }

  /** Whoever is to get a partition; it is taken for granted that it does. */
  nextLeast(): number {
    if (this.#nextLeast >= this.#leastEnd) {
      this.#leastSize += 1;
      while (this.#leastEnd < this.#sorted.length && this.#sizeAt(this.#leastEnd) === this.#leastSize) {
        this.#leastEnd += 1;
      }
      this.#nextLeast = 0;
    }
    this.#nextLeast += 1;
    return this.#sorted[this.#nextLeast - 1] ?? 0;
  }

  /**
   * Whoever is to give a partition away; it is taken for granted that it does.
   *
   * @param canGive - whether a member has any of the topic left.
   * @returns undefined when there is nobody any more.
   */
  nextMost(canGive: (member: number) => boolean): number | undefined {
    for (;;) {
      if (this.#nextMost < this.#mostStart) this.#startUpperWave();
      const member = this.#sorted[this.#nextMost];
      if (member === undefined) return undefined;
      this.#nextMost -= 1;
      if (canGive(member)) return member;
      this.#exclude(member);
    }
  }

  #startUpperWave(): void {
    const isEmpty = this.#mostEnd <= this.#mostStart && this.#mostStart > 0;
    this.#mostSize = isEmpty ? this.#sizeAt(this.#mostStart - 1) : this.#mostSize - 1;
    while (this.#mostStart > 0 && this.#sizeAt(this.#mostStart - 1) === this.#mostSize) this.#mostStart -= 1;
    this.#nextMost = this.#mostEnd - 1;
  }

  /** Puts the member that came last at the end of its wave, and the end before it. */
  #exclude(member: number): void {
    this.#mostEnd -= 1;
    this.#sorted[this.#nextMost + 1] = this.#sorted[this.#mostEnd] ?? member;
    this.#sorted[this.#mostEnd] = member;
  }

  #sizeAt(place: number): number {
    return this.#sizeOf(this.#sorted[place] ?? 0);
  }

  #sizeOf(member: number): number {
    return this.#sizes[member] ?? 0;
  }
}
