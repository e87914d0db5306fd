// The parts around the lines. The lines themselves are made in lines.js.

export default `
  <section class="card log-card" :class="{ wraps: wrap, timeless: !times, 'whole-window': wide }" :aria-label="title">
    <header>
      <h2>{{ title }}</h2>
      <span class="t13 ink3 num"><span class="nowrap">{{ words[0] }}</span><span v-if="size && lines" class="wide-only">, {{ size }}</span><span
        :class="{ 'wide-only': !growing }">{{ words[1] }}</span></span>
      <span class="space"></span>
      <label v-if="growing && lines" class="line t13 ink2">
        <button type="button" class="switch" role="switch" :aria-checked="String(following)"
                aria-label="Follow the end of the log" title="Follow the end of the log (f)"
                @click="setFollowing(!following)"></button>
        <span>Follow</span>
      </label>
      <a v-if="lines" class="btn ghost small" :class="{ 'wide-only': growing || showsPlan }"
         :href="url + '/text'" download title="Download the log as people read it">
        <i class="icon icon-down" aria-hidden="true"></i><span>As text</span></a>
      <a v-if="lines" class="btn ghost small" :href="url + '/raw'" download
         title="Download rclone's own log, unchanged" aria-label="Download the raw log">
        <i class="icon icon-down" aria-hidden="true"></i><span>Raw</span></a>
      <button v-if="lines" type="button" class="btn ghost small square" :aria-pressed="String(wide)"
              aria-label="Whole window" :title="wide ? 'Back to the page (m)' : 'Use the whole window (m)'"
              @click="setWide(!wide)">
        <i class="icon" :class="wide ? 'icon-shrink' : 'icon-expand'" aria-hidden="true"></i></button>
    </header>
    <div v-if="lines" class="log-bar">
      <div class="find" role="search">
        <i class="icon icon-search" aria-hidden="true"></i>
        <input v-model="query" ref="query" type="text" maxlength="1000" autocomplete="off"
               spellcheck="false" data-search :placeholder="showsPlan ? 'Search the names' : 'Search the log'"
               aria-label="Search the log; Enter for the next match, Shift and Enter for the previous"
               @input="onQuery" @keydown.enter.prevent="find($event.shiftKey)"
               @keydown.esc.stop="leaveSearch">
        <span class="t12 ink2 num nowrap" role="status">{{ foundWords }}</span>
        <button type="button" class="btn ghost small square" aria-label="Previous match"
                title="Previous match (Shift+Enter, N)" @click="find(true)">
          <i class="icon icon-up" aria-hidden="true"></i></button>
        <button type="button" class="btn ghost small square" aria-label="Next match"
                title="Next match (Enter, n)" @click="find(false)">
          <i class="icon icon-up turned" aria-hidden="true"></i></button>
      </div>
      <div class="filters" role="group" aria-label="How lines are shown">
        <button type="button" class="filter" :aria-pressed="String(matching)" :disabled="!query"
                title="Only matching lines (o)" @click="setMatching(!matching)">Only matching</button>
        <button type="button" class="filter" :aria-pressed="String(wrap)"
                title="Wrap long lines (w)" @click="setWrap(!wrap)">Wrap</button>
        <button type="button" class="filter" :aria-pressed="String(times)"
                title="Show times (t)" @click="setTimes(!times)">Times</button>
        <button v-if="!only && hasProgress" type="button" class="filter" :aria-pressed="String(progress)"
                title="Show lines that only report progress" @click="setProgress(!progress)">Progress</button>
      </div>
      <span class="t13 ink3" role="status">{{ note }}</span>
      <span class="space"></span>
      <button v-if="!showsPlan && totals.errors" type="button" class="btn small"
              title="Go to the first error (e)" @click="firstError">
        <i class="icon icon-alert" aria-hidden="true"></i><span>First error</span></button>
    </div>
    <div v-if="lines" class="log-bar">
      <div class="filters chips" role="group" aria-label="Which lines are shown">
        <button v-for="(word, name) in offered" :key="name" type="button" class="filter"
                :class="{ none: !totals[name] }" :aria-pressed="String(only === name)"
                @click="showOnly(name)">
          <span>{{ word }}</span><span v-if="name" class="num">{{ number(totals[name]) }}</span>
        </button>
      </div>
    </div>
    <div class="log">
      <p v-if="!total" class="log-empty">{{ emptiness }}</p>
      <div class="log-scroller" ref="scroller" tabindex="0" role="log" aria-live="off"
           aria-label="Log lines: arrows, Page Up and Down, Home and End move; Enter opens a line"
           @scroll.passive="onScroll" @wheel="onWheel" @keydown="onKey">
        <div class="log-spacer" ref="spacer">
          <div class="log-window" ref="window"><div ref="rows" @mousedown="onPress" @click="onClick" @copy="onCopy"></div></div>
        </div>
      </div>
    </div>
    <div v-if="whole || picked" ref="whole" class="log-whole" role="region" aria-label="Selected lines"
         @keydown.esc.stop="closeWhole">
      <span class="t12 ink3 num">{{ pickedWords }}</span>
      <span class="acts">
        <button type="button" class="btn ghost small" title="Copy (c)" @click="copyPicked">
          <i class="icon icon-copy" aria-hidden="true"></i><span>{{ whole ? "Copy line" : "Copy lines" }}</span></button>
        <button v-if="picked" type="button" class="btn ghost small" title="Copy a link to this selection (l)" @click="copyLink">
          <i class="icon icon-link" aria-hidden="true"></i><span>Copy link</span></button>
        <button type="button" class="btn ghost small square" aria-label="Close the line"
                title="Close (Esc)" @click="closeWhole">
          <i class="icon icon-close" aria-hidden="true"></i></button>
      </span>
      <pre v-if="whole" tabindex="0" aria-live="polite"><template v-for="[part, marked] in wholeParts"><mark v-if="marked">{{ part }}</mark><template v-else>{{ part }}</template></template></pre>
    </div>
  </section>`;
