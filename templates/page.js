(()=>{let d=document,q=(s,r=d)=>r.querySelector(s),f="a,summary,input,button",tag;
setInterval(async()=>{if(d.hidden)return;try{
let r=await fetch(location.pathname,{cache:"no-cache"}),e=r.headers.get("etag");
if(!r.ok||e&&e==tag)return;tag=e;
let n=new DOMParser().parseFromString(await r.text(),"text/html"),a=q("main"),b=q("main",n),h=q("h1",b).textContent;
for(let o of a.querySelectorAll("[open]")){let x=o.id&&n.getElementById(o.id);if(x)x.open=true}
let w=q("#only",a),v=q("#only",b);if(w&&v)v.checked=w.checked;
let c=d.activeElement,o=c.closest("main [id]"),k=[...(o||a).querySelectorAll(f)].indexOf(c),was=q("h1").textContent;
d.body.className=n.body.className+" live";a.replaceWith(d.adoptNode(b));
if(o)o=d.getElementById(o.id);if(a.contains(c))(c.id?o:(o||b).querySelectorAll(f)[k])?.focus({preventScroll:true});
d.title=n.title;let i="link[rel=icon]";d.querySelectorAll(i).forEach(l=>l.remove());d.head.append(...n.querySelectorAll(i));
if(h!=was)q("#live").textContent=h}catch{}},6e4)})()
