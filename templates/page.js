(d=>{let q=(s,r=d)=>r.querySelector(s),a=(s,r=d)=>[...r.querySelectorAll(s)],S={},L=d.documentElement.lang.replace(/^en$/,"en-GB"),tag,last,zone;try{S=localStorage}catch{}zone=S.zone;
// Visitor's zone; the page's own in the tooltip
let times=()=>a("time[datetime*=T]").forEach(t=>{t.title||=t.textContent;let z=zone=="page"?0:zone,o={timeZone:z||undefined,hour:"2-digit",minute:"2-digit",hourCycle:"h23"};
if(/\d.*\p{L}.*\d|\d.*\d.*\p{L}.*:/u.test(t.title))o={...o,day:"numeric",month:"short"};
t.textContent=zone=="page"?t.title:new Intl.DateTimeFormat(L,o).format(new Date(t.dateTime))});
let set=()=>{a(".past .days").forEach(r=>{let l=r.lastElementChild;if(l?.href)on(l)});let z=q("#zone");if(z){z.closest("[hidden]")?.removeAttribute("hidden");z.options[0].text=Intl.DateTimeFormat().resolvedOptions().timeZone;if(zone)z.value=zone;z.onchange=()=>{S.zone=zone=z.value;times()}}
let h=q("#theme");if(h){h.value=S.theme||"auto";h.onchange=()=>{S.theme=h.value;dark()}}
dark();times();
let f=q("#find");if(f)f.oninput=()=>a("main .list li").forEach(l=>l.hidden=!l.textContent.toLowerCase().includes(f.value.toLowerCase()))},
dark=()=>a("source[media]").forEach(s=>{s.dataset.m||=s.media;let t=S.theme;s.media=t=="dark"?"all":t=="light"?"not all":s.dataset.m});
// A card for every day; the big strip is one tab stop, arrows walk it
let card=b=>{if(b.title){let c=d.createElement("span"),[x,...y]=b.title.split(": ");c.className="card";c.append(Object.assign(d.createElement("b"),{textContent:x}),y.join(": "));b.append(c);b.removeAttribute("title")}},
on=b=>{card(b);b.removeAttribute("aria-hidden");b.tabIndex=0};
d.addEventListener("pointerover",e=>{let b=e.target.closest?.(".days>a");if(b)card(b)});
d.addEventListener("click",e=>{let b=e.target.closest(".days>a"),c=e.target.closest(".chips a[href^='#n-']");if(c)q("details",d.getElementById(c.hash.slice(1))).open=1;
if(b&&matchMedia("(hover:none)").matches&&b!=last){e.preventDefault();(last=b).focus()}});
d.addEventListener("keydown",e=>{let b=d.activeElement,r=b.closest?.(".days"),k={ArrowLeft:-1,ArrowRight:1}[e.key];if(r&&e.key=="Escape")b.blur();if(!r||!k)return;
let n=(k<0)==(d.dir!="rtl")?b.previousElementSibling:b.nextElementSibling;if(n?.href){e.preventDefault();b.tabIndex=-1;on(n);n.focus()}});
set();
// Each minute: a newer page?
setInterval(async()=>{if(d.hidden||q(":popover-open"))return;try{let r=await fetch(location,{cache:"no-cache"}),e=r.headers.get("etag");if(!r.ok||e&&e==tag)return;tag=e;
let n=new DOMParser().parseFromString(await r.text(),"text/html"),o=q("main"),m=q("main",n),h=q("h1",m).textContent;
a("[open]",o).forEach(x=>{let y=n.getElementById(x.closest("[id]").id);for(y=y&&q("details",y);y;y=y.parentNode.closest("details"))y.open=1});if(q("#only:checked"))q("#only",m).checked=1;
if(h!=q("h1").textContent)q("#live").textContent=h;let c=d.activeElement,p=o.contains(c)&&c.closest("[id]"),k=p&&[p,...a("*",p)].indexOf(c);
d.body.className=n.body.className+" live";o.replaceWith(d.adoptNode(m));p=p&&d.getElementById(p.id);if(p)[p,...a("*",p)][k]?.focus({preventScroll:1});d.title=n.title;
let i="link[rel=icon]";a(i).forEach(x=>x.remove());d.head.append(...a(i,n));set()}catch{}},6e4)})(document)
